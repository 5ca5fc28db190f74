"""What a run says or refuses before it declares the first resource."""
