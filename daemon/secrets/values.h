#pragma once

#include <map>
#include <string>

#include "core/crypto/secret.h"

namespace berth::secrets {

/// Values by name, some of which are secrets: all are wiped from memory at the end of their life.
class WipedValues : public std::map<std::string, std::string> {
 public:
  using map::map;
  WipedValues() = default;
  WipedValues(const std::map<std::string, std::string>& values) : map(values) {}
  WipedValues(const WipedValues&) = default;
  WipedValues(WipedValues&&) = default;
  WipedValues& operator=(const WipedValues&) = delete;
  WipedValues& operator=(WipedValues&&) = default;
  ~WipedValues() {
    for (auto& [name, value] : *this) crypto::wipe(value);
  }
};

}  // namespace berth::secrets
