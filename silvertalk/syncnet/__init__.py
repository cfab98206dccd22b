"""The lip expert: whether lips and sound fit, and by how much they are apart."""
