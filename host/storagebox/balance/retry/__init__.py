"""Whether to send a request again, and where the limit is: rules, budgets, hedges."""
