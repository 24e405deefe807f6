#!/bin/sh
# Reads a list of addresses and keeps what each one answers. Needs the network, and nothing else.
set -eu
while read -r address; do
  name=$(printf '%s' "$address" | tr -c 'A-Za-z0-9.\n' '_')
  if curl --fail --silent --show-error --location --max-time 20 --output "/out/$name" "$address"; then
    echo "fetched $address"
  else
    echo "refused or failed: $address" >&2
  fi
done < /in/addresses.txt
