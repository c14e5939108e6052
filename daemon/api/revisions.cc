#include "daemon/api/revisions.h"

#include <random>

#include <fmt/core.h>

#include "core/crypto/sha256.h"

namespace berth::api {
namespace {

constexpr std::size_t kMostCounted = 4096;  ///< apps; whoever asks names them
constexpr std::size_t kTagLength = 24;
constexpr std::size_t kMostTags = 64;

std::uint64_t a_nonce() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

}  // namespace

Revisions::Revisions() : nonce_(a_nonce()) {}

std::string Revisions::tag(const std::string& app, std::string_view decision) const {
  const auto counted = counts_.find(app);
  const std::string all = fmt::format("{}\n{}\n{}\n{}", nonce_, app, counted == counts_.end() ? 0 : counted->second, decision);
  return '"' + crypto::sha256_hex(all).substr(0, kTagLength) + '"';
}

Revisions::Change Revisions::change(const std::string& app) {
  if (counts_.size() >= kMostCounted && !counts_.contains(app)) {
    counts_.clear();
    nonce_ = a_nonce();  // all others are taken for changed
  }
  std::uint64_t& number = counts_[app];
  const Change change{.before = number, .now = ++last_};
  number = change.now;
  return change;
}

void Revisions::take_back(const std::string& app, const Change& change) {
  const auto counted = counts_.find(app);
  if (counted != counts_.end() && counted->second == change.now) counted->second = change.before;
}

Result<bool> matches(std::string_view if_match, std::string_view tag) {
  const auto wrong = [] { return fail(Errc::usage, "the header If-Match takes * or entity tags in quotes, as the ETag of GET /v1/apps/{app} is one"); };
  skip_blanks(if_match);
  bool found = false;
  if (if_match.starts_with('*')) {
    if_match.remove_prefix(1);
    found = true;
  } else {
    for (std::size_t tags = 0;; ++tags) {
      if (tags == kMostTags) return wrong();
      const bool weak = if_match.starts_with("W/");
      if (weak) if_match.remove_prefix(2);
      const auto end = if_match.starts_with('"') ? if_match.find('"', 1) : std::string_view::npos;
      if (end == std::string_view::npos) return wrong();
      if (!weak && if_match.substr(0, end + 1) == tag) found = true;
      if_match.remove_prefix(end + 1);
      skip_blanks(if_match);
      if (!if_match.starts_with(',')) break;
      if_match.remove_prefix(1);
      skip_blanks(if_match);
    }
  }
  skip_blanks(if_match);
  if (!if_match.empty()) return wrong();
  return found;
}

}  // namespace berth::api
