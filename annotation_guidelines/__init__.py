"""What annotators read, one folder a language: the guideline, and the questions as data. Versioned with the code."""
