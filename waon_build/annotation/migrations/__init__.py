"""How the schema came to be what `models.py` says, step by step; `database.connect` takes the steps."""
