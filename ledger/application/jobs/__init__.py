"""Jobs at work: proposed and approved by people, leased and reported by executors, and closed."""
