"""What train, convert, benchmarks and deploy share and no device needs: the table of boards, the C compiler, charts."""
