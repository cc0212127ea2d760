"""The pages that annotators and coordinators use, and the server behind them."""
