"""Stack config in, validated settings and the components' args out."""
