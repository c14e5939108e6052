#pragma once

#include <memory>
#include <stop_token>

#include "core/trust/remote.h"
#include "daemon/fetch/retry.h"

namespace berth::fetch {

/// Asks another remote again where that may help.
class RetryingRemote : public trust::Remote {
 public:
  RetryingRemote(std::unique_ptr<trust::Remote> remote, std::stop_token stop) : remote_(std::move(remote)), stop_(std::move(stop)) {}

  Result<std::string> get(std::string_view path, std::uint64_t most) override {
    for (int tries = 1;; ++tries) {
      auto bytes = remote_->get(path, most);
      if (bytes || !is_passing(bytes.error()) || tries >= kRetries.in_a_row) return bytes;
      BERTH_CHECK(wait_before_retry(kRetries, tries, stop_));
    }
  }

 private:
  static constexpr Retries kRetries{.in_a_row = 3, .first_wait = std::chrono::milliseconds(100)};

  std::unique_ptr<trust::Remote> remote_;
  std::stop_token stop_;
};

}  // namespace berth::fetch
