#include "daemon/secrets/known_secrets.h"

#include <algorithm>
#include <cstring>

#include "core/crypto/secret.h"
#include "core/crypto/sha256.h"
#include "core/json/json.h"

namespace berth::secrets {
namespace {

constexpr std::size_t kShortestLine = 16;  ///< of a value that has several

/// Of this process alone, so that what is kept of a secret is of no use elsewhere.
struct HashKey {
  std::string digest = crypto::random_bytes(32);
  std::uint64_t base = 0;

  HashKey() {
    const std::string random = crypto::random_bytes(sizeof base);
    std::memcpy(&base, random.data(), sizeof base);
    base |= 1;  // an even one would shift the first bytes out
  }
};

const HashKey& hash_key() {
  static const HashKey key;
  return key;
}

std::string keyed_digest(std::string_view text) {
  crypto::Sha256 hash;
  hash.update(hash_key().digest);
  hash.update(text);
  std::string digest = hash.hex();
  ::explicit_bzero(&hash, sizeof hash);  // the end of `text` is in it
  return digest;
}

/// Of the first `length` bytes: a number to the base of the key, whose digits they are.
std::uint64_t rolling_hash(std::string_view text, std::size_t length) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < length; ++i) hash = hash * hash_key().base + static_cast<unsigned char>(text[i]);
  return hash;
}

std::uint64_t power_of_base(std::size_t exponent) {
  std::uint64_t power = 1;
  for (std::size_t i = 0; i < exponent; ++i) power *= hash_key().base;
  return power;
}

std::string_view without_newlines(std::string_view value) {
  while (value.ends_with('\n')) value.remove_suffix(1);
  return value;
}

}  // namespace

KnownSecrets::Wanted KnownSecrets::wanted_of(std::string_view text) {
  return {.length = text.size(), .rolling = rolling_hash(text, text.size()), .digest = keyed_digest(text)};
}

bool KnownSecrets::has(const Wanted& one) const {
  return std::ranges::any_of(wanted_, [&one](const Wanted& known) { return known.is(one); });
}

void KnownSecrets::want(std::string_view text) {
  Wanted one = wanted_of(text);
  if (has(one)) return;
  if (wanted_.size() == kMost) wanted_.erase(std::ranges::min_element(wanted_, {}, &Wanted::turn));
  one.turn = ++turns_;
  const auto place = std::ranges::find_if(wanted_, [&one](const Wanted& known) { return known.length < one.length; });
  wanted_.insert(place, std::move(one));
}

bool KnownSecrets::knows(std::string_view value) const {
  value = without_newlines(value);
  return value.size() < kShortest || has(wanted_of(value));
}

bool KnownSecrets::add(std::string_view value) {
  value = without_newlines(value);
  if (value.size() < kShortest) return false;
  want(value);
  std::string quoted;
  quoted.reserve(6 * value.size() + 2);  // as long as it can become: a text that grows leaves copies behind
  json::append_quoted(quoted, value);
  want(std::string_view(quoted).substr(1, quoted.size() - 2));
  crypto::wipe(quoted);
  if (value.find('\n') == std::string_view::npos) return true;
  for (std::string_view rest = value; !rest.empty();) {
    const auto end = rest.find('\n');
    if (const std::string_view line = rest.substr(0, end); line.size() >= kShortestLine) want(line);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return true;
}

/// Those from `first` to `end` are of one length.
void KnownSecrets::redact_all_of(const Wanted* first, const Wanted* end, std::string& text) {
  const std::size_t length = first->length;
  if (text.size() < length) return;
  const std::uint64_t base = hash_key().base, leaving = power_of_base(length);
  std::string out;
  std::size_t done = 0, at = 0;  // up to where `out` has it all, and where what is looked at begins
  std::uint64_t hash = rolling_hash(text, length);
  for (;;) {
    const std::string_view here = std::string_view(text).substr(at, length);
    const bool found = std::any_of(first, end, [&](const Wanted& one) { return one.rolling == hash && one.digest == keyed_digest(here); });
    if (found) {
      out.append(text, done, at - done);
      out += kRedacted;
      done = at += length;
      if (at + length > text.size()) break;
      hash = rolling_hash(std::string_view(text).substr(at), length);
      continue;
    }
    if (at + length == text.size()) break;
    hash = hash * base + static_cast<unsigned char>(text[at + length]) - leaving * static_cast<unsigned char>(text[at]);
    ++at;
  }
  if (done == 0) return;
  out.append(text, done);
  text = std::move(out);
}

void KnownSecrets::redact(std::string& text) const {
  const Wanted* const end = wanted_.data() + wanted_.size();
  for (const Wanted* first = wanted_.data(); first != end;) {
    const Wanted* const next = std::find_if(first, end, [first](const Wanted& one) { return one.length != first->length; });
    redact_all_of(first, next, text);
    first = next;
  }
}

void GivenSecrets::note(const std::string& app, std::string_view value) {
  const std::scoped_lock lock(mutex_);
  auto& known = apps_[app];
  if (known && known->knows(value)) return;
  auto more = known ? std::make_shared<KnownSecrets>(*known) : std::make_shared<KnownSecrets>();
  more->add(value);
  known = std::move(more);
}

std::shared_ptr<const KnownSecrets> GivenSecrets::of(const std::string& app) const {
  const std::scoped_lock lock(mutex_);
  const auto found = apps_.find(app);
  if (found == apps_.end() || found->second->empty()) return nullptr;
  return found->second;
}

void GivenSecrets::redact(const std::string& app, std::string& text) const {
  if (!app.empty()) {
    if (const auto known = of(app)) known->redact(text);
    return;
  }
  std::vector<std::shared_ptr<const KnownSecrets>> all;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, known] : apps_) all.push_back(known);
  }
  for (const auto& known : all) known->redact(text);
}

}  // namespace berth::secrets
