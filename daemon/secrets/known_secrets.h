#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace berth::secrets {

/// What stands where something was taken out of a text.
inline constexpr std::string_view kRedacted = "[redacted]";

/// Takes the values of secrets out of texts, and each longer line of those that have several (keys in PEM), and what JSON makes of them. It does not have the
/// values, by which a dump of its memory would tell them, but their lengths and two hashes with a key of this process.
class KnownSecrets {
 public:
  static constexpr std::size_t kShortest = 6;  ///< bytes: shorter ones would be found where they are not meant
  static constexpr std::size_t kMost = 512;    ///< texts that are looked for; of more the oldest are forgotten

  /// False where the value is too short to be looked for.
  bool add(std::string_view value);
  /// Whether `add` would change nothing.
  bool knows(std::string_view value) const;
  bool empty() const { return wanted_.empty(); }

  /// Each becomes kRedacted, the longest first, since one may be a part of another.
  void redact(std::string& text) const;

 private:
  /// A text that is looked for.
  struct Wanted {
    std::size_t length = 0;
    std::uint64_t rolling = 0;  ///< the hash that is moved over a text
    std::string digest;
    std::uint64_t turn = 0;     ///< when it was added

    bool is(const Wanted& other) const { return length == other.length && rolling == other.rolling && digest == other.digest; }
  };
  static Wanted wanted_of(std::string_view text);
  bool has(const Wanted& one) const;
  void want(std::string_view text);
  static void redact_all_of(const Wanted* first, const Wanted* end, std::string& text);

  std::vector<Wanted> wanted_;  ///< longest first
  std::uint64_t turns_ = 0;
};

/// The secrets that apps of this node were given while berthd ran, or that are in their folders when it starts. For any thread.
class GivenSecrets {
 public:
  /// `app` is given a secret of this value.
  void note(const std::string& app, std::string_view value);
  /// As far as they are known by now; null where it has none.
  std::shared_ptr<const KnownSecrets> of(const std::string& app) const;
  /// Takes those of the app out of a text; those of all apps where `app` is empty.
  void redact(const std::string& app, std::string& text) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const KnownSecrets>> apps_;
};

}  // namespace berth::secrets
