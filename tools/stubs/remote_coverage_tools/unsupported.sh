#!/bin/bash
echo >&2 "Coverage is not supported: run 'tools/bazelw test' instead."
exit 1
