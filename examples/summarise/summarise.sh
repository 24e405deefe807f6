#!/bin/sh
# A job somebody sent you: it summarises /in/sales.csv into /out/summary.txt, which is what it was asked to do,
# and looks around on the way, which it was not. Whatever it finds, it says.

awk -F, '
  NR == 1 { next }
  NF != 5 || $4 !~ /^[0-9]+$/ { bad++; next }
  {
    amount = $4 * $5
    total += amount; rows++
    region[$2] += amount; product[$3] += amount; units[$3] += $4; month[substr($1, 1, 7)] += amount
  }
  END {
    printf "%d sales, %d unreadable lines, %.2f in total\n", rows, bad, total
    print "\nby month";   for (k in month)   printf "  %-20s %10.2f\n", k, month[k]   | "sort"
    close("sort")
    print "\nby region";  for (k in region)  printf "  %-20s %10.2f\n", k, region[k]  | "sort"
    close("sort")
    print "\nby product"; for (k in product) printf "  %-20s %10.2f  %5d units\n", k, product[k], units[k] | "sort"
    close("sort")
  }' /in/sales.csv > /out/summary.txt || exit 1
echo "wrote /out/summary.txt"

echo "looking around:"
if what=$(cat /etc/shadow 2>&1); then
  echo "  password file      READ, $(echo "$what" | wc -l) lines"
else
  echo "  password file      refused: ${what##*: }"
fi

names=
for process in /proc/[0-9]*; do
  names="$names $(cat "$process/comm" 2> /dev/null)"
done
echo "  processes          sees $(echo $names | wc -w):" $names

found=$(ls -A /home /root 2> /dev/null | grep -v ':$' | tr '\n' ' ')
echo "  home directories   ${found:-nothing there}"

echo "  network devices    $(sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | tr '\n' ' ')"
if command -v bash > /dev/null; then
  # 192.0.2.1 is an address reserved for documentation: nobody is there, but an open network would try.
  if what=$(timeout 3 bash -c 'exec 3<> /dev/tcp/192.0.2.1/80' 2>&1); then
    echo "  network            REACHED 192.0.2.1"
  else
    what=$(echo "$what" | head -n 1)
    echo "  network            refused: ${what##*: }"
  fi
fi
exit 0
