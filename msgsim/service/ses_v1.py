"""SES (version 1) by its own names: its operations, and what they take (GEN-3).

Both versions are about the same emails, identities, configuration sets and templates. Where they call an operation
alike, that of version 1 is "ses:SendEmail".
"""

from collections.abc import Mapping

from msgsim.service.operation import Operation
from msgsim.service.parameters import ANY_TEXT, BYTES, FLAG, TEXT, WHOLE, ListOf, Shape, Structure
from msgsim.service.ses_sets import delete_configuration_set, delete_event_destination
from msgsim.service.ses_v1_identities import (
    delete_identity,
    get_identity_dkim_attributes,
    get_identity_mail_from_domain_attributes,
    get_identity_notification_attributes,
    get_identity_verification_attributes,
    list_identities,
    set_identity_dkim_enabled,
    set_identity_feedback_forwarding_enabled,
    set_identity_headers_in_notifications_enabled,
    set_identity_mail_from_domain,
    set_identity_notification_topic,
    verify_domain_dkim,
    verify_domain_identity,
    verify_email_identity,
)
from msgsim.service.ses_v1_refusals import older
from msgsim.service.ses_v1_sending import (
    get_account_sending_enabled,
    get_send_quota,
    get_send_statistics,
    send_bulk_templated_email,
    send_email,
    send_raw_email,
    send_templated_email,
    update_account_sending_enabled,
)
from msgsim.service.ses_v1_sets import (
    create_destination,
    create_set,
    create_template,
    delete_template,
    describe_set,
    get_template,
    list_sets,
    list_templates,
    test_render_template,
    update_destination,
    update_set_reputation_metrics_enabled,
    update_set_sending_enabled,
    update_template,
)

TEXTS = ListOf(TEXT)
PAGES: Mapping[str, Shape] = {"MaxItems": WHOLE, "NextToken": TEXT}
TAGS = ListOf(Structure({"Name": TEXT, "Value": TEXT}))

_DATA = Structure({"Data": ANY_TEXT}, {"Charset": TEXT})
_DESTINATION = Structure({}, {"BccAddresses": TEXTS, "CcAddresses": TEXTS, "ToAddresses": TEXTS})
_USUAL: Mapping[str, Shape] = {
    "ConfigurationSetName": TEXT,
    "ReplyToAddresses": TEXTS,
    "ReturnPath": TEXT,
}
"""What an email may have beside its content, unless it comes as it is."""

_IDENTITY: Mapping[str, Shape] = {"Identity": TEXT}
_IDENTITIES = Structure({"Identities": TEXTS})
_SET: Mapping[str, Shape] = {"ConfigurationSetName": TEXT}
_EVENT_DESTINATION = Structure(
    {
        **_SET,
        "EventDestination": Structure(
            {"MatchingEventTypes": TEXTS, "Name": TEXT, "SNSDestination": Structure({"TopicARN": TEXT})},
            {"Enabled": FLAG},
        ),
    }
)
_NAME: Mapping[str, Shape] = {"TemplateName": TEXT}
_TEMPLATE = Structure({"Template": Structure(_NAME, {"HtmlPart": TEXT, "SubjectPart": TEXT, "TextPart": TEXT})})

_OF_SETS = {"AlreadyExistsException": "ConfigurationSetAlreadyExists", "BadRequestException": "InvalidConfigurationSet"}
_OF_DESTINATIONS = {
    "AlreadyExistsException": "EventDestinationAlreadyExists",
    "BadRequestException": "InvalidSNSDestination",
    "NotFoundException": "EventDestinationDoesNotExist",
}
"""Codes of refusals that such requests have, by those of version 2 (SES-SND-4, SES-SND-10)."""
_OF_TEMPLATES = {"BadRequestException": "InvalidTemplate"}

OPERATIONS: Mapping[str, Operation] = {
    "CreateConfigurationSet": older(
        create_set, Structure({"ConfigurationSet": Structure({"Name": TEXT})}), codes=_OF_SETS
    ),
    "CreateConfigurationSetEventDestination": older(create_destination, _EVENT_DESTINATION, codes=_OF_DESTINATIONS),
    "CreateTemplate": older(create_template, _TEMPLATE, codes=_OF_TEMPLATES),
    "DeleteConfigurationSet": older(delete_configuration_set, Structure(_SET)),
    "DeleteConfigurationSetEventDestination": older(
        delete_event_destination, Structure({**_SET, "EventDestinationName": TEXT}), codes=_OF_DESTINATIONS
    ),
    "DeleteIdentity": older(delete_identity, Structure(_IDENTITY)),
    "DeleteTemplate": older(delete_template, Structure(_NAME)),
    "DescribeConfigurationSet": older(describe_set, Structure(_SET, {"ConfigurationSetAttributeNames": TEXTS})),
    "GetAccountSendingEnabled": older(get_account_sending_enabled),
    "GetIdentityDkimAttributes": older(get_identity_dkim_attributes, _IDENTITIES),
    "GetIdentityMailFromDomainAttributes": older(get_identity_mail_from_domain_attributes, _IDENTITIES),
    "GetIdentityNotificationAttributes": older(get_identity_notification_attributes, _IDENTITIES),
    "GetIdentityVerificationAttributes": older(get_identity_verification_attributes, _IDENTITIES),
    "GetSendQuota": older(get_send_quota),
    "GetSendStatistics": older(get_send_statistics),
    "GetTemplate": older(get_template, Structure(_NAME)),
    "ListConfigurationSets": older(list_sets, Structure({}, PAGES)),
    "ListIdentities": older(list_identities, Structure({}, {"IdentityType": TEXT, **PAGES})),
    "ListTemplates": older(list_templates, Structure({}, PAGES)),
    "SendBulkTemplatedEmail": older(
        send_bulk_templated_email,
        Structure(
            {
                "DefaultTemplateData": TEXT,
                "Destinations": ListOf(
                    Structure({"Destination": _DESTINATION}, {"ReplacementTags": TAGS, "ReplacementTemplateData": TEXT})
                ),
                "Source": TEXT,
                "Template": TEXT,
            },
            {"DefaultTags": TAGS, **_USUAL},
        ),
    ),
    "SendEmail": older(
        send_email,
        Structure(
            {
                "Destination": _DESTINATION,
                "Message": Structure({"Body": Structure({}, {"Html": _DATA, "Text": _DATA}), "Subject": _DATA}),
                "Source": TEXT,
            },
            {"Tags": TAGS, **_USUAL},
        ),
    ),
    "SendRawEmail": older(
        send_raw_email,
        Structure(
            {"RawMessage": Structure({"Data": BYTES})},
            {"ConfigurationSetName": TEXT, "Destinations": TEXTS, "Source": TEXT, "Tags": TAGS},
        ),
    ),
    "SendTemplatedEmail": older(
        send_templated_email,
        Structure(
            {"Destination": _DESTINATION, "Source": TEXT, "Template": TEXT, "TemplateData": TEXT},
            {"Tags": TAGS, **_USUAL},
        ),
    ),
    "SetIdentityDkimEnabled": older(set_identity_dkim_enabled, Structure({**_IDENTITY, "DkimEnabled": FLAG})),
    "SetIdentityFeedbackForwardingEnabled": older(
        set_identity_feedback_forwarding_enabled, Structure({**_IDENTITY, "ForwardingEnabled": FLAG})
    ),
    "SetIdentityHeadersInNotificationsEnabled": older(
        set_identity_headers_in_notifications_enabled,
        Structure({**_IDENTITY, "Enabled": FLAG, "NotificationType": TEXT}),
    ),
    "SetIdentityMailFromDomain": older(
        set_identity_mail_from_domain, Structure(_IDENTITY, {"BehaviorOnMXFailure": TEXT, "MailFromDomain": TEXT})
    ),
    "SetIdentityNotificationTopic": older(
        set_identity_notification_topic, Structure({**_IDENTITY, "NotificationType": TEXT}, {"SnsTopic": TEXT})
    ),
    "TestRenderTemplate": older(
        test_render_template,
        Structure({**_NAME, "TemplateData": TEXT}),
        codes={"BadRequestException": "MissingRenderingAttribute"},
    ),
    "UpdateAccountSendingEnabled": older(update_account_sending_enabled, Structure({}, {"Enabled": FLAG})),
    "UpdateConfigurationSetEventDestination": older(update_destination, _EVENT_DESTINATION, codes=_OF_DESTINATIONS),
    "UpdateConfigurationSetReputationMetricsEnabled": older(
        update_set_reputation_metrics_enabled, Structure({**_SET, "Enabled": FLAG})
    ),
    "UpdateConfigurationSetSendingEnabled": older(update_set_sending_enabled, Structure({**_SET, "Enabled": FLAG})),
    "UpdateTemplate": older(update_template, _TEMPLATE, codes=_OF_TEMPLATES),
    "VerifyDomainDkim": older(verify_domain_dkim, Structure({"Domain": TEXT})),
    "VerifyDomainIdentity": older(verify_domain_identity, Structure({"Domain": TEXT})),
    "VerifyEmailIdentity": older(verify_email_identity, Structure({"EmailAddress": TEXT})),
}
"""The operations by name."""
