// NestFormat
