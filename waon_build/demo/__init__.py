"""A sample site, its pictures, captions and judgements: the whole way on one machine, with nothing borrowed."""
