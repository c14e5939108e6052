#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace berth::fetch {

/// Refusals of what a repository says, by the rule that was broken; one of `kRefusalRules`.
using Refusals = std::map<std::string, std::uint64_t>;

inline constexpr std::string_view kRefusalRules[] = {"signature", "expiry", "rollback", "version", "hash", "length", "requirement", "missing", "content"};

/// The rule that a failure with `Errc::trust` is about, by the words that core/trust and this folder tell it with. "requirement": it is for
/// a newer berth or another machine. "missing": there is no root, or what is asked for is not listed. "content": signed, and yet not what it should be, or of
/// another form.
std::string_view rule_of_refusal(std::string_view message);

}  // namespace berth::fetch
