"""What challenge pages say in their titles and to their readers, by language. Pages are judged by it in `challenges`.

Each line is a regular expression, matched without regard to case; a space stands for any white space.
"""

from __future__ import annotations

import re

_TITLES = (
    # English
    r"pardon our interruption",
    r"just a moment|one moment,? please",
    r"attention required",
    r"access (?:denied|restricted|blocked)|access to this page has been denied|blocked|bots? detected",
    r"security (?:measure|check|checkpoint|verification|challenge)|vercel security checkpoint",
    r"(?:robot|bot|browser|human|user) (?:check|verification)|(?:client|browser|bot) challenge",
    r"robot or human|human or robot|are you (?:a )?(?:robot|human)",
    r"checking your browser.*|ddos-guard|ddos protection.*",
    r"(?:please )?(?:verify(?:ing)?|confirm) (?:that )?you(?:['’]?re| are) (?:a )?(?:human|not a (?:ro)?bot).*",
    r"making sure you['’]re not a bot",
    r"(?:radware )?(?:re)?captcha(?: challenge| page| required| interception)?",
    r"request (?:rejected|blocked|unsuccessful).*|(?:sorry, )?you(?:['’]ve| have) been blocked.*|unusual traffic.*",
    # German
    r"(?:einen|nur einen) moment(?:,? bitte)?|zugriff (?:verweigert|blockiert)",
    r"(?:bitte )?(?:entschuldigen|verzeihen) sie (?:bitte )?die (?:störung|unterbrechung)",
    r"sicherheits(?:überprüfung|maßnahme|prüfung|abfrage|kontrolle)",
    # French
    r"un instant(?:,? s['’]il vous plaît)?|accès (?:refusé|interdit|bloqué)",
    r"(?:vérification|contrôle|mesure) de sécurité",
    r"(?:veuillez )?(?:nous )?(?:excuse[rz]|pardon\w*).{0,25}interruption|désolés?.{0,30}interr\w+",
    # Spanish
    r"un momento(?:,? por favor)?|acceso (?:denegado|bloqueado)|(?:verificación|comprobación|medida) de seguridad",
    r"(?:disculp|perdon|perdón|lament)\w*.{0,20}interrupci[óo]n",
    # Italian
    r"un (?:attimo|momento)(?:,? per favore)?|accesso (?:negato|bloccato)|(?:verifica|controllo|misura) di sicurezza",
    r"(?:ci )?scus\w+.{0,20}interruzione",
    # Dutch, Polish, Portuguese, Russian
    r"een (?:moment|ogenblik)(?: geduld)?|toegang geweigerd|beveiligings(?:controle|maatregel)",
    r"(?:sorry|excuses).{0,20}(?:onderbreking|storing)",
    r"chwileczkę|odmowa dostępu|(?:kontrola|weryfikacja) bezpieczeństwa|przepraszamy za.{0,20}(?:przerw|zakłócen)\w*",
    r"só um momento|acesso (?:negado|bloqueado)|(?:verificação|medida) de segurança|desculpe.{0,20}interrupção",
    r"ой!|доступ (?:запрещен|ограничен)|вы не робот|проверка (?:браузера|безопасности)",
    # Chinese, Japanese, Korean
    r"(?:安全|人机|人機|滑动|身份|访问)(?:验证|驗證|检查)|验证码.*|访问(?:被拒绝|受限)|[請请]稍[候等]",
    r"しばらくお待ちください|アクセスが拒否されました|잠시만 기다리.*|접근이 거부되었습니다|보안 ?확인",
)
_STATUS_TITLES = (
    r"(?:error )?(?:403|429)(?: - |:? )?.*",
    r"forbidden",
    r"too many requests|rate limit(?:ed| exceeded)?",
)
_SITE = r"(?:\W+(?:cloudflare|akamai|ebay|amazon|[\w-]+(?:\.[\w-]+)+))?\W*"

_WORDS = (
    # English
    r"checking (?:if the site connection is secure|your browser)|needs to review the security of your connection",
    r"(?:verify(?:ing)?|confirm|prove) (?:that )?you(?:['’]?re| are) (?:a )?(?:human|not a (?:ro)?bot)",
    r"pardon our interruption|please wait while your request is being verified",
    r"please verify yourself|verify your identity to continue|make sure (?:that )?you(?:['’]re| are) not a (?:ro)?bot",
    r"press (?:&|and) hold|slide to (?:verify|complete)|drag the slider",
    r"unusual (?:traffic|activity) (?:from|on|in|has|was)|automated (?:access|quer|request|traffic|tool|process)",
    r"enable (?:javascript and cookies to continue|js and disable any ad blocker)|javascript and cookies to continue",
    r"(?:performing|complet(?:e|ing)) (?:a |the )?(?:security (?:check|verification)|captcha|challenge)",
    r"made us think (?:that )?you|enter the (?:characters|letters|text) you see|type the characters",
    r"don['’]t have permission to access .{0,200}on this server|access to this page has been denied",
    r"request unsuccessful|incident id|(?:requested url|request) was rejected|your support id is",
    r"you have been blocked|(?:access|ip(?: address)?|request|traffic) (?:\S+ )?"
    r"(?:has been|was|is) (?:temporarily )?(?:blocked|limited|rejected|banned|flagged)",
    r"ddos protection by|you are now in line|automatically redirected to .{0,80} when it is your turn",
    # German
    r"ungewöhnliche\w* (?:datenverkehr|aktivität|zugriff)|(?:ihr|dein) browser wird überprüft",
    r"überprüfen (?:wir )?(?:ihren|deinen) browser|überprüfung (?:ihres|deines) browsers",
    r"bestätigen sie,? dass sie (?:ein mensch|kein)|automatisierte (?:zugriffe|anfragen)",
    # French
    r"que vous êtes (?:bien )?(?:un )?humain",
    r"trafic (?:inhabituel|anormal)|vérifi\w+ (?:de )?(?:votre navigateur|la sécurité de votre)",
    # Spanish
    r"que (?:eres|es) (?:un ser )?human[oa]",
    r"tráfico (?:inusual|inhabitual)|comproba\w+ (?:de |el |tu |su ){0,2}navegador",
    # Italian
    r"che sei (?:un )?(?:essere )?uman[oa]|traffico (?:insolito|anomalo)",
    r"(?:verifica|controllo) del (?:tuo )?browser",
    # Dutch, Polish, Portuguese, Russian
    r"dat (?:je|u) een mens bent|ongebruikelijk verkeer|że jesteś człowiekiem|nietypowy ruch",
    r"que (?:você )?é humano|tráfego incomum|необычный трафик|подозрительн\w+ (?:трафик|активность)",
    # Chinese, Japanese, Korean
    r"异常(?:流量|访问)|拖动.{0,6}滑块|(?:完成|进行|通过|請完成).{0,8}(?:验证|驗證)",
    r"通常と異なるトラフィック|비정상적인 트래픽",
)
_QUESTIONS = (
    r"are you (?:a )?(?:human|robot)|i['’]? ?a?m not a robot|robot or human|humans? only",
    r"(?:bist du|sind sie) (?:ein|kein) (?:mensch|roboter)|(?:kein|nicht ein) roboter",
    r"(?:êtes[- ]vous|n['’]êtes pas) un (?:robot|humain)|pas un robot",
    r"(?:eres|es usted) un (?:robot|humano)|no (?:soy|eres|es) un robot",
    r"(?:sei|non sono|non sei) un (?:robot|umano)",
    r"ben(?:t)? (?:je|u) (?:een )?(?:robot|mens)|geen robot|nie jeste[śm] robotem|jesteś (?:robotem|człowiekiem)",
    r"n[ãa]o (?:sou|é) um rob[ôo]|(?:вы|я) не робот",
    r"(?:不是|非)(?:机器人|機器人)|ロボットではありません|ロボットではない|로봇이 ?아닙니다",
)
_STATUS_WORDS = (r"(?:sent )?too many requests|you are being rate limited",)


def _any(lines: tuple[str, ...], end: str = "") -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(lines)}){end}".replace(" ", r"\s"), re.IGNORECASE)


TITLES = _any(_TITLES, _SITE)
"""Whole titles of challenge pages, with the site's name behind them."""
TITLES_OF_SUCCESS = _any((*_TITLES, *_STATUS_TITLES), _SITE)
"""The same of pages with status 200, which are also lies when they say that they were refused."""
QUESTIONS = _any(_QUESTIONS)
"""What others ask in jest, too: it needs something to answer with."""
WORDS = _any((*_WORDS, *_QUESTIONS))
"""Something that challenge pages say."""
WORDS_OF_SUCCESS = _any((*_WORDS, *_QUESTIONS, *_STATUS_WORDS))
