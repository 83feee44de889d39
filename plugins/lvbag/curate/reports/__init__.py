"""What became of a night, as figures and as a page: begin with `report`."""
