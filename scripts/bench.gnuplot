# SPDX-License-Identifier: GPL-2.0-only
# Draws reserve.dat and job.dat of the current directory (scripts/bench.py).
set terminal svg noenhanced size 720,420 background "white" font "sans-serif,13"
set style line 1 lc rgb "#c0392b" lw 2 pt 7 ps 0.6
set style line 2 lc rgb "#2471a3" lw 2 pt 7 ps 0.6
set style line 3 lc rgb "#c0392b" lw 1 dt 2
set style line 4 lc rgb "#2471a3" lw 1 dt 2
set grid ytics lc rgb "#dddddd"

set output "reserve.svg"
set title "Reserve the worst case of a mapping, and give it back (the default allocator cannot)"
set xlabel "size of the mapping, in 4 KiB pages"
set ylabel "instructions"
set logscale xy
set xtics ("4 KiB" 2**12, "2 MiB" 2**21, "64 MiB" 2**26, "1 GiB" 2**30, "8 GiB" 2**33, "128 GiB" 2**37)
set yrange [100:*]
set format y "%.0s%c"
set key left top
plot "reserve.dat" using 1:2 with linespoints ls 1 title "kmem_cache, warm", \
     "" using 1:4 with lines ls 3 title "kmem_cache, first time", \
     "" using 1:3 with linespoints ls 2 title "pool, warm", \
     "" using 1:5 with lines ls 4 title "pool, first time"

set output "job.svg"
set title "A VM_BIND job: 1 GiB reserved, 2 MiB mapped in 4 KiB pages, unmapped"
unset logscale
unset xlabel
set xtics auto
set yrange [0:*]
set format y "%.0s%c"
set style data histograms
set style histogram rowstacked
set style fill solid 0.85 border rgb "white"
set boxwidth 0.5
set key outside right
plot for [part=2:5] "job.dat" using part:xtic(1) title columnheader
