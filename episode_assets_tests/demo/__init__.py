"""Demo recordings are what they say they are: read by other libraries, measured against their own geometry."""
