"""What every face that speaks has in common."""
