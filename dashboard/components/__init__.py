"""Parts of pages: `render_*` functions that take data in and give back nothing but what the person chose."""
