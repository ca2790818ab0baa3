"""The seam: where an SDK's HTTP client hands a request over, and where its flow is carried out."""
