"""What is collected again and again, how that is checked and run, and the logins it takes."""
