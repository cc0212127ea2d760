"""What is the same picture: hashes within reach of each other, the clusters they make, and who stays."""
