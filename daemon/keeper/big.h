#pragma once

/// Puts a large zeroed array behind all small data, so that what an idle keeper touches lies together on one page. (The linker sorts
/// sections by name.)
#define BERTH_BIG __attribute__((section(".bss.~big")))
