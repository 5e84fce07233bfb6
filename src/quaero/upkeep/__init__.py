"""Looking after the database: cleaning up what is old."""
