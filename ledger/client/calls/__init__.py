"""Every call of the contract as a value, one module for each service."""
