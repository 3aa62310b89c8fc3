"""`ginkgo.data.models`: the records that users make and get."""
