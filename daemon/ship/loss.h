#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/logs/record_time.h"

namespace berth::ship {

/// Lines of an instance that were removed before they could be shipped, or are torn.
struct Loss {
  InstanceId instance;
  std::uint64_t first = 0, last = 0;  ///< sequence numbers, both included; `last` is 0 where no number is known
  std::uint64_t lines = 0;            ///< fewer than that where several losses are told as one
  bool is_least = false;              ///< at least so many: how many they were is not known
  bool is_torn = false;               ///< they are there, and cannot be read: a power cut or a crash tore them
  logs::Time from{}, to{};            ///< of the last line before and the first one behind them; 1970 where that is not known
};

/// How many lines there were.
struct LineCount {
  std::uint64_t lines = 0;
  bool is_least = false;  ///< at least
};

/// From the number `first` to before `end`. Where the machine was started between, numbers leapt: those behind are known alone.
LineCount count_lines(std::uint64_t first, std::uint64_t end);

/// Why they are missing.
std::string_view reason_text(const Loss& loss);

/// "lines 5 to 16", or "lines from 5 on, at least 12, how many is not known".
std::string lines_text(const Loss& loss);

}  // namespace berth::ship
