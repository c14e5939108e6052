#include <charconv>
#include <csignal>
#include <cstring>

#include <fmt/core.h>

#include "core/spec/app_spec.h"

namespace berth::spec {

Result<int> parse_signal(std::string_view text) {
  const std::string_view name = text.starts_with("SIG") ? text.substr(3) : text;
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size() && text.front() != '0';
  if (whole && number >= 1 && number <= 64) return number;
  return fail(Errc::usage, fmt::format("'{}' is no signal: write its name, such as TERM, QUIT or INT, or its number, 1 to 64", text));
}

std::string signal_name(int signal) {
  const char* known = ::sigabbrev_np(signal);
  return known != nullptr ? known : std::to_string(signal);
}

}  // namespace berth::spec
