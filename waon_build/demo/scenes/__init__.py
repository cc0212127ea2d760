"""The scenes, a module for each category of WAON-Bench, a function for each scene: it paints on a canvas."""
