#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace berth::crypto {

/// Overwrites a string in a way that no optimizer leaves out.
void wipe(std::string& secret);

/// Bytes that are wiped from memory at the end of their life.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string&& bytes) : bytes_(std::move(bytes)) { wipe(bytes); }
  ~Secret() { wipe(bytes_); }
  Secret(Secret&& other) noexcept : Secret(std::move(other.bytes_)) {}
  Secret& operator=(Secret&& other) noexcept;

  std::string_view view() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace berth::crypto
