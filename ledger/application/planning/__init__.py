"""Plans: what to retrain under a budget, and why each model is in or out."""
