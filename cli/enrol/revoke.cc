#include <algorithm>
#include <cctype>

#include "cli/enrol/authority.h"
#include "cli/enrol/crl.h"
#include "cli/enrol/mbedtls_parts.h"
#include "cli/enrol/signer.h"
#include "core/files/files.h"
#include "core/trust/time.h"

namespace berth::cli::enrol {
namespace {

/// A serial number as the list has it, of one as people copy it: "4A:F3" and "4AF3" are "4af3".
std::string plain_serial(std::string text) {
  std::erase(text, ':');
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_meant(const Issued& one, const std::string& whom, Clock::time_point now) {
  if (one.serial == plain_serial(whom)) return true;
  return one.ends > now && std::ranges::find(one.names, whom) != one.names.end();
}

/// Those of the list that are meant, each once.
Result<std::vector<Issued>> find_meant(const std::vector<Issued>& all, const std::vector<std::string>& whom, Clock::time_point now) {
  for (const std::string& one : whom)
    if (std::ranges::none_of(all, [&](const Issued& issued) { return is_meant(issued, one, now); }))
      return fail(Errc::not_found, fmt::format("no certificate of this authority has the serial number '{0}', and none that has not ended is for the name '{0}': 'berth ca list' has what there is", one));
  std::vector<Issued> meant;
  std::ranges::copy_if(all, std::back_inserter(meant), [&](const Issued& issued) { return std::ranges::any_of(whom, [&](const std::string& one) { return is_meant(issued, one, now); }); });
  return meant;
}

/// What a list has to tell of. A certificate that had ended when the list before was made was in that one, and need not be in another (RFC 5280, 3.3).
std::vector<Issued> revoked_in(const ListContent& content) {
  std::vector<Issued> all;
  std::ranges::copy_if(content.issued, std::back_inserter(all), [&](const Issued& one) { return one.revoked && !(content.crl_at && one.ends + kSkew < *content.crl_at && one.revoked->at < *content.crl_at); });
  return all;
}

}  // namespace

Result<Revocation> Authority::revoke(const std::vector<std::string>& whom, Reason reason, std::chrono::days counts, Clock::time_point now) const {
  BERTH_TRY(const auto signs, signer());
  BERTH_TRY(IssuedList list, IssuedList::lock(list_file()));
  BERTH_TRY(const ListContent content, list.content());
  BERTH_TRY(std::vector<Issued> meant, find_meant(content.issued, whom, now));
  Revocation done;
  for (Issued& one : meant) {
    auto& into = one.revoked ? done.already : done.revoked;
    if (!one.revoked) one.revoked = Revoked{.at = now, .reason = reason};
    into.push_back(std::move(one));
  }
  BERTH_CHECK(list.add_revoked(done.revoked));
  auto written = write_crl(list, *signs, counts, now);
  if (!written) return fail(written.error().code, fmt::format("what was revoked is noted, but not in {} yet: {}; then 'berth ca crl {}'", crl_file().string(), written.error().message, folder_.string()));
  done.crl = *written;
  return done;
}

Result<Crl> Authority::write_crl(std::chrono::days counts, Clock::time_point now) const {
  BERTH_TRY(const auto signs, signer());
  BERTH_TRY(IssuedList list, IssuedList::lock(list_file()));
  return write_crl(list, *signs, counts, now);
}

Result<Crl> Authority::write_crl(IssuedList& list, Signer& signer, std::chrono::days counts, Clock::time_point now) const {
  const auto end = io::time_of(signer.own.get()->valid_to);
  if (end <= now) return fail(Errc::usage, fmt::format("the authority ended at {}, and no list of it counts any more: make a new one", trust::to_string(end)));
  if (mbedtls_x509_crt_check_key_usage(signer.own.get(), MBEDTLS_X509_KU_CRL_SIGN) != 0)
    return fail(Errc::usage, fmt::format("{} does not say that it may sign lists of revoked certificates (cRLSign)", certificate_file().string()));
  BERTH_TRY(const ListContent content, list.content());
  const CrlContent says{.number = content.crl_number + 1, .at = now - kSkew, .next = std::min<Clock::time_point>(now + counts, end), .revoked = revoked_in(content)};
  BERTH_TRY(const std::string pem, make_crl(says, signer.own, signer.key));
  BERTH_CHECK(list.add_crl(says.number, now));  // before anybody sees it: no two lists have one number
  BERTH_CHECK(files::replace(crl_file(), pem, 0644));
  return Crl{.number = says.number, .next = says.next, .revoked = says.revoked.size()};
}

}  // namespace berth::cli::enrol
