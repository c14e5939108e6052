#include "daemon/fetch/refusal.h"

#include <algorithm>

namespace berth::fetch {
namespace {

struct Words {
  std::string_view words, rule;
};
/// The first that is found counts.
constexpr Words kWords[] = {
    {" signed it rightly", "signature"},   {"two signatures of one key", "signature"}, {" expired at ", "expiry"},
    {"(a rollback)", "rollback"},          {"was played back", "rollback"},            {"under one serial", "rollback"},
    {"no longer lists ", "rollback"},      {": says it is version ", "version"},       {": is version ", "version"},
    {" is not the signed one", "hash"},    {"not what was signed for", "hash"},        {"which its hash is not of", "hash"},
    {" signed for", "length"},             {" bytes short", "length"},                 {" are allowed at most", "length"},
    // Behind those that an alert is about, so that no name that a repository gives makes one of these of them.
    {": upgrade berth", "requirement"},    {", and this machine is ", "requirement"},  {"no root is pinned in ", "missing"},
    {"does not list it", "missing"},       {", or somebody withholds it", "missing"},
};

}  // namespace

std::string_view rule_of_refusal(std::string_view message) {
  const auto* found = std::ranges::find_if(kWords, [&](const Words& one) { return message.find(one.words) != std::string_view::npos; });
  return found == std::end(kWords) ? "content" : found->rule;
}

}  // namespace berth::fetch
