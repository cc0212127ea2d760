"""What the annotation came to: progress, agreement, people, pay, and what corpus and filters are worth."""
