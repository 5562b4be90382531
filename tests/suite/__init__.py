"""The tests that tests/run runs: each module registers functions with @test."""
