#include "isolation/probe/host_report.h"

#include <algorithm>

#include "crypto/digest.h"

namespace writ::isolation {
namespace {

using canon::Json;

Json StableJson(const HostReport& report) {
  Json probes = Json::MakeArray();
  for (const Probe& probe : report.probes)
    probes.Append(Json::Of({{"name", probe.name}, {"ok", probe.ok}, {"detail", probe.detail}, {"fix", probe.fix}}));
  return Json::Of({{"v", 1}, {"kernel", report.kernel}, {"caller", report.caller}, {"probes", std::move(probes)}});
}

Result<std::string> StringMember(const Json& object, std::string_view name) {
  const std::string* text = object.FindString(name);
  if (text == nullptr) return Fail(Code::kInvalid, "host report: `{}` must be a string", name);
  return *text;
}

}  // namespace

const Probe* HostReport::Find(std::string_view name) const {
  const auto found = std::ranges::find(probes, name, &Probe::name);
  return found == probes.end() ? nullptr : &*found;
}

bool HostReport::Has(std::string_view name) const {
  const Probe* probe = Find(name);
  return probe != nullptr && probe->ok;
}

Json ToJson(const HostReport& report) {
  Json json = StableJson(report);
  json.Set("volatile", Json::Of({{"elapsedUs", report.elapsed_us}}));
  return json;
}

Result<HostReport> ReportFromJson(const Json& json) {
  const Json* version = json.Find("v");
  if (version == nullptr || !version->is_number() || version->number() != 1)
    return Fail(Code::kInvalid, "host report: `v` must be 1");
  HostReport report;
  report.kernel = WRIT_TRY("read", StringMember(json, "kernel"));
  report.caller = WRIT_TRY("read", StringMember(json, "caller"));
  const Json* probes = json.Find("probes");
  if (probes == nullptr || !probes->is_array()) return Fail(Code::kInvalid, "host report: `probes` must be a list");
  for (const Json& item : probes->array()) {
    Probe probe;
    probe.name = WRIT_TRY("read probe", StringMember(item, "name"));
    probe.detail = WRIT_TRY("read probe", StringMember(item, "detail"));
    probe.fix = WRIT_TRY("read probe", StringMember(item, "fix"));
    const Json* ok = item.Find("ok");
    if (ok == nullptr || !ok->is_bool())
      return Fail(Code::kInvalid, "host report: `ok` of probe {} must be true or false", probe.name);
    probe.ok = ok->boolean();
    report.probes.push_back(std::move(probe));
  }
  if (const Json* more = json.Find("volatile")) {
    const Json* elapsed = more->Find("elapsedUs");
    // Bounded before the conversion: a double outside the integer's range has no value there.
    if (elapsed != nullptr && elapsed->is_number() && elapsed->number() >= 0 && elapsed->number() < 1e15)
      report.elapsed_us = static_cast<std::int64_t>(elapsed->number());
  }
  return report;
}

Result<std::string> StableBytes(const HostReport& report) { return canon::Canonical(StableJson(report)); }

Result<std::string> ReportDigest(const HostReport& report) {
  return crypto::Sha256Hex(WRIT_TRY("digest of the host report", StableBytes(report)));
}

}  // namespace writ::isolation
