"""How an image gets here: plan, polite client, address guard, decoding, and the part they end in."""
