#pragma once
// @geoLookup: where an address is, from a MaxMind database (`SecGeoLookupDb`).
//
// Thread safety: immutable once open; shared by all threads. It is a copy in memory: whatever becomes of the file does
// not touch it. Opening walks the search tree once (about 10 ns a node): control threads only. Looking up follows at
// most 128 nodes.
// Source: MaxMind DB File Format Specification 2.0; ModSecurity Reference Manual v3, "GEO".

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

struct MMDB_s;

namespace gatehouse::waf {

struct GeoValue {
  std::string_view name;  // `country_code`; lives for ever
  std::string value;
};

class GeoDatabase {
 public:
  // Errors: a file that cannot be read, that is no such database, of a version that is not known, or with a tree that
  // leads out of the file.
  static Result<std::shared_ptr<const GeoDatabase>> open(const std::string& file);

  // Into `values` comes what is known of the address. False: nothing, or the database is damaged there.
  bool find(const IpAddress& address, std::vector<GeoValue>& values) const;

 private:
  struct Close {
    void operator()(MMDB_s* database) const noexcept;
  };
  explicit GeoDatabase(std::unique_ptr<MMDB_s, Close> database) noexcept : database_(std::move(database)) {}

  std::unique_ptr<MMDB_s, Close> database_;
};

}  // namespace gatehouse::waf
