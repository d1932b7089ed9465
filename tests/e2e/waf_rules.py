"""A small rule set with the arithmetic of the Core Rule Set, so that most tests need not load that."""

SMALL = r"""
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" "id:901100,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule &TX:paranoia_level "@eq 0" "id:901120,phase:1,pass,nolog,setvar:tx.paranoia_level=1"
SecAction "id:901140,phase:1,pass,nolog,setvar:tx.critical_anomaly_score=5,setvar:tx.warning_anomaly_score=3,\
  setvar:tx.anomaly_score=0,setvar:tx.anomaly_score_pl1=0"
SecRule REQUEST_HEADERS:X-Teapot "@streq 1" "id:50,phase:1,deny,status:418,log,msg:'A teapot'"
SecRule REQUEST_HEADERS:X-Away "@streq 1" "id:51,phase:1,redirect:'https://away.example/',log,msg:'Away'"
SecRule ARGS|ARGS_NAMES|REQUEST_HEADERS|REQUEST_COOKIES|XML:/*|REQUEST_FILENAME|FILES "@contains attack" \
  "id:100,phase:2,pass,log,t:none,t:urlDecodeUni,t:lowercase,capture,severity:'CRITICAL',tag:'attack-test',tag:'paranoia-level/1',\
  msg:'An attack',logdata:'%{MATCHED_VAR}',setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule ARGS "@rx odd" "id:101,phase:2,pass,log,severity:'WARNING',msg:'Something odd',\
  setvar:'tx.anomaly_score_pl1=+%{tx.warning_anomaly_score}'"
SecRule REQUEST_URI_RAW "@contains ../" "id:102,phase:2,pass,log,severity:'CRITICAL',msg:'Dots',\
  setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule REQUEST_FILENAME "@streq /admin" "id:103,phase:2,pass,log,severity:'CRITICAL',msg:'The canonical path',\
  setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule REQUEST_PROTOCOL "!@within HTTP/1.0 HTTP/1.1 HTTP/2.0" "id:104,phase:1,deny,status:400,log,msg:'A protocol'"
SecRule &REQUEST_HEADERS:Host "@eq 0" "id:105,phase:1,deny,status:400,log,msg:'No host'"
SecRule TX:PARANOIA_LEVEL "@lt 2" "id:106,phase:2,pass,nolog,skipAfter:END-LEVEL-2"
SecRule ARGS "@contains strange" "id:107,phase:2,pass,log,severity:'CRITICAL',msg:'Strange, for those who look closer',\
  setvar:'tx.anomaly_score_pl2=+%{tx.critical_anomaly_score}'"
SecMarker "END-LEVEL-2"
SecAction "id:949060,phase:2,pass,nolog,setvar:'tx.anomaly_score=+%{tx.anomaly_score_pl1}',\
  setvar:'tx.anomaly_score=+%{tx.anomaly_score_pl2}'"
SecRule TX:ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" \
  "id:949110,phase:2,deny,status:403,log,msg:'Inbound Anomaly Score Exceeded (Total Score: %{TX.ANOMALY_SCORE})'"
"""


def small(gate, name="rules.conf", text=SMALL):
    """Writes the rules beside the gateway's configuration and returns what `waf.rules` says."""
    return gate.file(name, text)



# Rules about answers, with the two sums that the Core Rule Set 3 keeps for them: its own, and the request's besides.
ANSWERS = SMALL + r"""
SecRule &TX:outbound_anomaly_score_threshold "@eq 0" "id:901110,phase:1,pass,nolog,setvar:tx.outbound_anomaly_score_threshold=4"
SecAction "id:901141,phase:1,pass,nolog,setvar:tx.error_anomaly_score=4,setvar:tx.outbound_anomaly_score=0"
SecRule RESPONSE_STATUS "@streq 599" "id:200,phase:3,deny,status:503,log,msg:'A status'"
SecRule RESPONSE_HEADERS:X-Leak "@contains leak" "id:201,phase:3,pass,log,severity:'ERROR',msg:'A leak in a field',\
  setvar:'tx.outbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"
SecRule RESPONSE_BODY "@contains ORA-01017" "id:202,phase:4,pass,log,capture,severity:'CRITICAL',msg:'A database speaks',\
  setvar:'tx.outbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}',setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule RESPONSE_BODY "@contains hmm" "id:203,phase:4,pass,log,severity:'WARNING',msg:'Not nice',\
  setvar:'tx.outbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"
SecRule RESPONSE_BODY "@streq go away" "id:204,phase:4,redirect:'https://away.example/',log,msg:'Away'"
SecRule RESPONSE_HEADERS:Content-Encoding "@rx ." "id:205,phase:4,pass,log,msg:'Told that it is compressed'"
SecAction "id:959060,phase:4,pass,nolog,setvar:'tx.outbound_anomaly_score=+%{tx.outbound_anomaly_score_pl1}'"
SecRule TX:OUTBOUND_ANOMALY_SCORE "@ge %{tx.outbound_anomaly_score_threshold}" \
  "id:959100,phase:4,deny,log,msg:'Outbound Anomaly Score Exceeded (Total Score: %{TX.OUTBOUND_ANOMALY_SCORE})'"
"""
