"""Studies: runs that differ in named settings and seeds, launched, stopped and read as one."""
