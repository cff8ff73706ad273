"""From the workstation to boards: a bundle for one (`deploy.bundle`), one command for many (`deploy.fleet`)."""
