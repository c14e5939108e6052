#include "daemon/metrics_token.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

namespace berth {
namespace {

constexpr std::chrono::seconds kUntilLookedUpAgain{5};
constexpr std::chrono::seconds kOneWait{1};
constexpr int kMostWaits = 10;
constexpr std::size_t kShortestToken = 16, kLongestToken = 4096;  ///< bytes
constexpr std::string_view kOfFile = "file:";

/// Another one for a file that was written or put in its place since; of what is in no file always the same.
std::string stamp_of(const std::string& reference) {
  if (!reference.starts_with(kOfFile)) return {};
  struct stat about{};
  if (::stat(reference.c_str() + kOfFile.size(), &about) != 0) return "-";
  return fmt::format("{}.{}.{}.{}.{}", about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
}

Result<std::shared_ptr<const crypto::Secret>> read_token(const std::string& reference, const secrets::Sources& sources) {
  auto value = secrets::resolve(reference, sources);
  if (!value) return std::unexpected(std::move(value.error()));
  BERTH_CHECK(check_token(value->view()));
  return std::make_shared<const crypto::Secret>(std::move(*value));
}

/// Also where whoever asked goes away meanwhile.
class Looking {
 public:
  explicit Looking(std::shared_ptr<bool> looking) : looking_(std::move(looking)) { *looking_ = true; }
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;
  ~Looking() { *looking_ = false; }

 private:
  std::shared_ptr<bool> looking_;
};

}  // namespace

Result<void> check_token(std::string_view value) {
  const bool fits = std::ranges::all_of(value, [](char c) { return c > ' ' && c < '\x7f'; });
  if (value.size() < kShortestToken || value.size() > kLongestToken || !fits)
    return fail(Errc::usage, fmt::format("it is no token: {} to {} visible ASCII characters, as 'openssl rand -hex 32' makes them", kShortestToken, kLongestToken));
  return {};
}

bool MetricsToken::has_changed(const std::string& stamp) const {
  const bool failed_a_while_ago = !token_ && io::Steady::now() - tried_ >= kUntilLookedUpAgain;
  return !is_known_ || stamp != stamp_ || failed_a_while_ago;
}

awaitable<void> MetricsToken::look_up(std::string stamp) {
  const Looking looking(is_looking_);
  is_known_ = true;
  tried_ = io::Steady::now();
  const auto look = [reference = reference_, sources = sources_] { return read_token(reference, sources); };
  auto found = co_await pool_.run(look);
  stamp_ = stamp;
  const bool is_another = found && token_ && token_->view() != (*found)->view();
  if (is_another) spdlog::info("[metrics] has another token now");
  const std::string problem = found ? std::string() : "token: " + found.error().message;
  if (found) token_ = std::move(*found);
  else if (problem != problem_) spdlog::error("[metrics] {}{}", problem, token_ ? "; the one before counts still" : "; nobody is answered but at /healthz and /readyz");
  problem_ = problem;
  looked_.notify();
}

awaitable<Result<api::Token>> MetricsToken::get() {
  if (reference_.empty()) co_return api::Token();
  std::string stamp = stamp_of(reference_);
  if (!*is_looking_ && has_changed(stamp)) co_await look_up(std::move(stamp));
  for (int tries = 0; !token_ && *is_looking_ && tries < kMostWaits; ++tries) co_await looked_.wait(kOneWait);
  if (token_) co_return token_;
  co_return fail(Errc::unreachable, "this listener has no token to compare with; berthd's log says why");
}

}  // namespace berth
