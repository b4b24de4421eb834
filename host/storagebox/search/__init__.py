"""The search API, after Algolia: complete alone, and used by Phantom for its library."""
