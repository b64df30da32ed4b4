//! Conversion between the schema and the machines' own words.
