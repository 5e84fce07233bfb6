"""What is collected from, and the logins that this takes."""
