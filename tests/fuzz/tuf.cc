// TUF metadata of every role, before and behind its signatures: the fuzzer has no keys, so what they would cover is read as well.

#include "core/trust/metadata.h"
#include "core/trust/trusted_set.h"
#include "core/trust/verify.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace berth;

template <class T>
void check_versions(const Result<T>& role) {
  if (role) fuzz::must(role->issue.version > 0, "a role without a version was accepted");
  else fuzz::must(role.error().code == Errc::trust, "metadata is refused for another reason than trust");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto envelope = trust::open_envelope(text, "role");
  if (!envelope) {
    fuzz::must(envelope.error().code == Errc::trust, "metadata is refused for another reason than trust");
    return 0;
  }
  const auto root = trust::parse_root(envelope->content, "root");
  check_versions(root);
  if (root && trust::verify(*envelope, root->root, "root")) fuzz::must(trust::TrustedSet::from_root(text).has_value(), "a root that signs itself is refused");
  check_versions(trust::parse_timestamp(envelope->content, "timestamp"));
  check_versions(trust::parse_snapshot(envelope->content, "snapshot"));
  const auto targets = trust::parse_targets(envelope->content, "targets");
  check_versions(targets);
  if (!targets) return 0;
  for (const auto& delegation : targets->delegations) static_cast<void>(delegation.covers("web/production/v1.json"));
  return 0;
}
