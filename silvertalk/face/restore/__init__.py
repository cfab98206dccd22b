"""Networks that restore a face or tell its parts."""
